"""Operations on endpoints: what they are, how they go from state to state, and their messages on the bus."""
