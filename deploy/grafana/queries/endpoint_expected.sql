select extract(epoch from next_expected_at) * 1000 as expected from endpoint_status where name = ${endpoint:sqlstring}
