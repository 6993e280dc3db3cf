select $__timeGroupAlias(r.time, $__interval),
  case t.resource_id when 0 then 'registered' when 1 then 'unregistered' else 'updated' end as metric,
  count(*) as events
from resource r
join resource_type t on t.id = r.resource_type_id
where t.object_id = 10240 and $__timeFilter(r.time)
group by 1, 2
order by 1
