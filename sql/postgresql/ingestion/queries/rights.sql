-- name: missing_rights
-- $1: relations, $2: one right on each, USAGE for a sequence. UPDATE of some columns will do: which ones, the load will
-- see.
SELECT needed.right_ || ' on ' || needed.relation
FROM unnest($1::text[], $2::text[]) AS needed (relation, right_)
WHERE NOT CASE needed.right_ WHEN 'USAGE' THEN has_sequence_privilege(needed.relation, 'USAGE, UPDATE')
        ELSE has_table_privilege(needed.relation, needed.right_) END
    AND NOT (needed.right_ = 'UPDATE' AND has_any_column_privilege(needed.relation, 'UPDATE'))
UNION ALL
SELECT format('TEMPORARY on database %I', current_database())
WHERE NOT has_database_privilege(current_database(), 'TEMPORARY');
