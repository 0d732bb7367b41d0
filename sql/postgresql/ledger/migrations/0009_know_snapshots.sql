-- What of the source a destination has seen, beside its mark: rows of transactions that were not visible then are read
-- whatever their watermark (extract.late_commits).
ALTER TABLE etl.loads ADD COLUMN next_snapshot text;
ALTER TABLE etl.watermarks ADD COLUMN snapshot text;
