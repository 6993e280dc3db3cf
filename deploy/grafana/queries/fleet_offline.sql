select count(*) as offline from endpoint_status where status = 'offline'
