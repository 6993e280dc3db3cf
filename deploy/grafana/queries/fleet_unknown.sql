select t.object_id || '/*/' || t.resource_id as resource, count(distinct v.endpoint_id) as endpoints,
  max(v.received_at) as "last seen"
from resource_type t
join latest_value v on v.resource_type_id = t.id
where t.name is null
group by t.object_id, t.resource_id
order by 3 desc
