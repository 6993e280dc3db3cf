select u.received_at as time, u.paths, u.content_format as "content format", u.reason,
  encode(substr(u.payload, 1, 64), 'hex') as payload,
  case when u.decoded_at is not null then 'decoded' when u.dismissed_at is not null then 'dismissed' else 'waiting' end
    as retry
from undecoded_report u
join endpoint e on e.id = u.endpoint_id
where e.name = ${endpoint:sqlstring} and $__timeFilter(u.received_at)
order by 1 desc
limit 200
