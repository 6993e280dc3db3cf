select $__timeGroupAlias(r.time, $__interval),
  concat_ws('/', t.object_id, r.object_instance_id, t.resource_id, nullif(r.resource_instance_id, -1))
    || coalesce(' ' || t.name, '') || coalesce(' (' || t.units || ')', '') as metric,
  avg(r.value_number) as value
from resource r
join resource_type t on t.id = r.resource_type_id
join endpoint e on e.id = r.endpoint_id
where e.name = ${endpoint:sqlstring} and $__timeFilter(r.time) and r.value_number is not null
  and concat_ws('/', t.object_id, r.object_instance_id, t.resource_id, nullif(r.resource_instance_id, -1))
    in (${resource:sqlstring})
group by 1, 2
order by 1
