select name from endpoint order by name
