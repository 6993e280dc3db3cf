select count(*) as reports from undecoded_report where $__timeFilter(received_at)
