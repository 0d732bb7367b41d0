-- What a person should know of a load, a sentence each: columns that went, rows that could not go.
ALTER TABLE etl.loads ADD COLUMN notes text[] NOT NULL DEFAULT '{}';
