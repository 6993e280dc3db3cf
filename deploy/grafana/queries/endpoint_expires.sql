select extract(epoch from expires_at) * 1000 as expires from endpoint where name = ${endpoint:sqlstring} and registered
