"""LoaderFactory and the loaders: DataFrame → LoadResult."""
