select l.time, l.level, l.text
from log_line l
join endpoint e on e.id = l.endpoint_id
where e.name = ${endpoint:sqlstring} and $__timeFilter(l.time)
order by 1 desc
limit 500
