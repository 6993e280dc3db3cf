select u.received_at as time, e.name as endpoint, u.paths, u.content_format as "content format", u.reason,
  length(u.payload) as bytes
from undecoded_report u
join endpoint e on e.id = u.endpoint_id
where $__timeFilter(u.received_at) and u.decoded_at is null and u.dismissed_at is null
order by 1 desc
limit 200
