select count(distinct stream_sequence) / 5.0 as "messages a minute"
from resource
where received_at > now() - interval '5 minutes' and time > now() - interval '1 day'
