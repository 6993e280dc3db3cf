select $__timeGroupAlias(time, $__interval), count(distinct stream_sequence) * 60000.0 / $__interval_ms as messages
from resource
where $__timeFilter(time)
group by 1
order by 1
