"""Parts of pages that the browser draws: a Vue component each, fed with plain data."""
