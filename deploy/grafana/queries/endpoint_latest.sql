select concat_ws('/', t.object_id, v.object_instance_id, t.resource_id, nullif(v.resource_instance_id, -1)) as path,
  coalesce(t.name, 'unknown') as name,
  coalesce(
    case when v.data_type = 'time' and coalesce(v.value_float, v.value_integer) between 0 and 253402300799
      then to_timestamp(coalesce(v.value_float, v.value_integer))::text end,
    v.value_text, v.value_integer::text, v.value_float::text, v.value_boolean::text,
    '0x' || left(encode(v.value_bytes, 'hex'), 64)
  ) as value,
  t.units, v.time
from latest_value v
join resource_type t on t.id = v.resource_type_id
join endpoint e on e.id = v.endpoint_id
where e.name = ${endpoint:sqlstring}
order by t.object_id, v.object_instance_id, t.resource_id, v.resource_instance_id
