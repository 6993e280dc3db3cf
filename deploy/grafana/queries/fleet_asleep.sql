select count(*) as asleep from endpoint_status where status = 'asleep'
