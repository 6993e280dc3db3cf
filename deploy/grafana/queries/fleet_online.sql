select count(*) as online from endpoint_status where status = 'online'
