select count(*) as overdue from endpoint_status where overdue
