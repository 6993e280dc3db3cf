select name as endpoint, status, last_seen_at as "last seen", expires_at as "expires", next_expected_at as "expected"
from endpoint_status
where overdue
order by last_seen_at
limit 500
