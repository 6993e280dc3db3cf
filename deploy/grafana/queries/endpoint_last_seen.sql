select extract(epoch from last_seen_at) * 1000 as "last seen" from endpoint where name = ${endpoint:sqlstring}
