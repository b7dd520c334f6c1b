"""The lineage graph in other systems' words: PROV-JSON and OpenLineage both ways, Croissant and cards outwards."""
