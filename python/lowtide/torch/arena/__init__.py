"""Memory at planned addresses: the allocator, the record of a step's requests, and their checked replay."""
