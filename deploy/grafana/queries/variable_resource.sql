select concat_ws('/', t.object_id, v.object_instance_id, t.resource_id, nullif(v.resource_instance_id, -1))
    || coalesce(' ' || t.name, '') as __text,
  concat_ws('/', t.object_id, v.object_instance_id, t.resource_id, nullif(v.resource_instance_id, -1)) as __value
from latest_value v
join resource_type t on t.id = v.resource_type_id
join endpoint e on e.id = v.endpoint_id
where e.name = ${endpoint:sqlstring} and t.object_id <> 10240
  and num_nonnulls(v.value_float, v.value_integer, v.value_boolean) = 1
order by t.object_id, v.object_instance_id, t.resource_id, v.resource_instance_id
