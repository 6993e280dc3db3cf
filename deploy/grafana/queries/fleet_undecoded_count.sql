select count(*) as reports from undecoded_report
where $__timeFilter(received_at) and decoded_at is null and dismissed_at is null
