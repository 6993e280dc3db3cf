select status from endpoint_status where name = ${endpoint:sqlstring}
