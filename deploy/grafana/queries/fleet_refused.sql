select e.name as endpoint, o.paths, o.code, o.diagnostic, o.time
from observation_outcome o
join endpoint e on e.id = o.endpoint_id
where o.state = 'refused'
order by o.time desc
limit 200
