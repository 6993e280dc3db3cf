select o.paths, o.composite, o.state, o.code, o.diagnostic, o.time
from observation_outcome o
join endpoint e on e.id = o.endpoint_id
where e.name = ${endpoint:sqlstring}
order by o.paths
