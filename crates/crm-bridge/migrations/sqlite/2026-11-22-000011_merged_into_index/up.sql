-- Who was merged into somebody is asked for when that one is merged or erased; hardly any row has it.
CREATE INDEX customers_by_merged_into ON customers (merged_into) WHERE merged_into IS NOT NULL;
