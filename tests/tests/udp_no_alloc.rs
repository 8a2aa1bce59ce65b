//! After open, no call of the UDP link allocates. A binary of its own, for its allocator counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;

use mirror_core::FrameSink;
use mirror_transport::udp::{NodeFilter, Offload, UdpConfig, UdpLink};
use mirror_transport::{Link, WaitMode};

/// Counts what the calling thread asks for.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged. The counter is a constant-initialised Cell of
// the thread without a destructor, so counting neither allocates nor touches anything another thread does.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise about `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, and `at` came from `System`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn nothing_is_allocated_after_open() {
    let before = ALLOCATIONS.get();
    drop(Box::new(1));
    assert_eq!(ALLOCATIONS.get(), before + 1, "the allocator counts");

    let [_, a, b, c] = std::process::id().to_be_bytes();
    for (port, offload) in [(28_000, Offload::Auto), (28_001, Offload::Off)] {
        let group = SocketAddr::from(([239, 64 | a & 63, b, c], port));
        let config = UdpConfig { offload, wait: WaitMode::Block, ..UdpConfig::new(group, "lo") };
        let own_node = Some(NodeFilter { offset: 0, id: 1 });
        let mut tx = UdpLink::open(&UdpConfig { own_node, ..config.clone() }).unwrap();
        let mut rx = UdpLink::open(&config).unwrap();

        let before = ALLOCATIONS.get();
        let mut received = 0;
        for round in 0..200 {
            for frame in 0..70 {
                let memory = tx.lend().unwrap();
                memory[0] = 1;
                let len = if frame % 10 == 9 { round + 1 } else { memory.len() };
                tx.push(len);
            }
            tx.flush();
            rx.wait(0);
            received += rx.receive(1000, &mut |frame| assert_eq!(frame[0], 1));
            rx.receive(0, &mut |_| ());
        }
        let (sent, got) = (tx.stats(), rx.stats());
        assert_eq!(ALLOCATIONS.get(), before);
        assert_eq!(sent.sent_frames, 200 * 70);
        assert_eq!(got.received_frames, received as u64);
        assert!(received > 0);
    }
}
