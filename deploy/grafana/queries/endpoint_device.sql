select string_agg(v.value_text, ' ' order by t.resource_id) as device
from latest_value v
join resource_type t on t.id = v.resource_type_id
join endpoint e on e.id = v.endpoint_id
where e.name = ${endpoint:sqlstring} and t.object_id = 3 and t.resource_id in (0, 1)
