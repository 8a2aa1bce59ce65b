//! The files that may contain `unsafe`, each with its reason.

/// Paths from the workspace's root; one that ends in `/` stands for the whole folder. An entry under which there is no
/// `unsafe` (any more) fails the hygiene step, so the list stays as short as the truth.
pub(crate) const ALLOWED: &[(&str, &str)] = &[
    ("mirror/src/node.rs", "gives the segment's memory to the region"),
    ("mirror/src/segment.rs", "looks at the segment of another process"),
    ("mirror-core/src/region/attach.rs", "takes mapped memory on the caller's word"),
    ("mirror-core/src/region/mod.rs", "lends parts of the mapping"),
    ("mirror-core/src/region/reader.rs", "reads a mapping that another process owns"),
    ("mirror-core/src/region/tests.rs", "gives memory to regions and readers"),
    ("mirror-core/src/track/diff.rs", "calls code for instructions that the machine has"),
    ("mirror-core/tests/adversary.rs", "gives memory to regions"),
    ("mirror-core/tests/members.rs", "gives memory to regions"),
    ("bench/src/bare.rs", "the bare sockets that the product is compared with"),
    ("bench/src/floor.rs", "calls code for instructions that the machine has"),
    ("bench/src/memory.rs", "gives memory to regions"),
    ("bench/tests/no_alloc.rs", "an allocator that counts"),
    ("tests/src/bin/mirror-test-child.rs", "maps the memory that its tracer watches"),
    ("tests/src/fault_net/tap.rs", "makes a TAP device"),
    ("tests/src/member.rs", "gives memory to regions"),
    ("tests/src/memory.rs", "gives memory to regions, and looks at it as bytes"),
    ("tests/src/plant.rs", "plain data of any size"),
    ("tests/src/stepped.rs", "ptrace"),
    ("tests/tests/bad_memory.rs", "mounts a small file system"),
    ("tests/tests/crash_any_instruction.rs", "ptrace"),
    ("tests/tests/no_allocation.rs", "an allocator that counts"),
    ("tests/src/namespace.rs", "unshares the network of a thread"),
    ("tests/src/sim/memory.rs", "gives memory to regions and readers"),
    ("tests/tests/udp_no_alloc.rs", "an allocator that counts"),
    ("tools/src/stage/fuse.rs", "a timer that ends this process"),
    ("tools/src/stage/bus.rs", "words shared between the demo's processes"),
    ("transport/src/udp/sys.rs", "system calls that no dependency has"),
];
