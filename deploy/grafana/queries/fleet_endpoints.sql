select name as endpoint, status, overdue, last_seen_at as "last seen", next_expected_at as "expected", registered_at as "registered", expires_at as "expires",
  lifetime_s as "lifetime (s)", queue_mode as "queue mode", lwm2m_version as "LwM2M",
  address_host || ':' || address_port as address, identity, gateway, registration_warnings::text as warnings
from endpoint_status
order by status = 'offline', last_seen_at desc nulls last
limit 5000
