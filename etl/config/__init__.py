"""conf/*.yaml and the environment → frozen typed models; the only reader of either."""
