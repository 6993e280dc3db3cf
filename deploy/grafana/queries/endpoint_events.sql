select event.time, event.event_type as event,
  string_agg(
    coalesce(t.name, t.object_id || '/' || r.object_instance_id || '/' || t.resource_id) || ' = '
      || coalesce(r.value_text, r.value_integer::text, r.value_float::text, r.value_boolean::text, '(bytes)'),
    ', ' order by r.record_index
  ) as readings
from event
join endpoint e on e.id = event.endpoint_id
join event_resource link
  on link.event_time = event.time and link.event_stream_sequence = event.stream_sequence
join resource r
  on r.time = link.resource_time and r.stream_sequence = link.resource_stream_sequence
  and r.record_index = link.resource_record_index
join resource_type t on t.id = r.resource_type_id
where e.name = ${endpoint:sqlstring} and $__timeFilter(event.time)
group by event.time, event.stream_sequence, event.event_type
order by 1 desc
limit 500
