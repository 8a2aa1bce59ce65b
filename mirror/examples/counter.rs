//! The smallest mirrored loop: a counter that two processes keep in step.
//!
//! Run it twice, as node 1 and as node 2, and kill the one that leads:
//!
//! ```text
//! cargo run --release -p mirror --example counter -- 1 &
//! cargo run --release -p mirror --example counter -- 2 &
//! kill -9 %1
//! ```

use bytemuck::{Pod, Zeroable};
use mirror::{Config, Node, Turn};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Counter {
    cycles: u64,
    seconds: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let id =
        std::env::args().nth(1).and_then(|arg| arg.parse().ok()).ok_or("usage: counter NODE (1 or 2)")?;
    let config = Config::new("counter-example", id, "239.255.77.9:7709".parse()?, "lo");
    let mut node = Node::<Counter>::open(&config)?;
    println!("node {id}: {}", node.describe());
    for warning in node.warnings() {
        println!("node {id}: {warning}");
    }
    loop {
        match node.begin()? {
            Turn::Lead(mut lead) => {
                if let Some(t) = lead.takeover() {
                    println!(
                        "node {id}: leads from cut {}, {:?} after its last word, {} cycles missed",
                        t.cut, t.age, t.missed
                    );
                }
                lead.cycles += 1;
                lead.seconds += lead.dt().as_secs_f64();
                let done = lead.commit()?;
                if done.cycles % 1000 == 0 {
                    println!(
                        "node {id}: {} cycles, {:.3} s, may act: {}",
                        done.cycles,
                        done.seconds,
                        done.may_act()
                    );
                }
            }
            Turn::Follow(view) if view.cycles % 1000 == 0 => {
                println!("node {id}: follows at {}", view.cycles)
            }
            Turn::Wait(why) => println!("node {id}: waits ({why:?})"),
            _ => {}
        }
    }
}
