select count(*) as observations from observation_outcome where state = 'refused'
