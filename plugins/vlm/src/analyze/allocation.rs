//! How many buffers a pool upstream needs for what is held here.

/// Buffers that are held for asking are missing in their pool meanwhile: the newest sample, and
/// the one being encoded; with several frames to a question, those as well.
const HELD_BUFFERS: u32 = 2;

/// Has pools be larger by what is held when a question shows so many `frames`.
pub(super) fn hold_more_buffers(allocation: &mut gst::query::Allocation, frames: u32) {
    let held = match frames {
        0 | 1 => HELD_BUFFERS,
        frames => HELD_BUFFERS.saturating_add(frames),
    };
    let pools: Vec<_> = allocation.allocation_pools().map(|pool| pool.to_owned()).collect();
    for (at, (pool, size, min, max)) in (0..).zip(pools) {
        let max = if max == 0 { 0 } else { max.saturating_add(held) };
        let min = min.saturating_add(held);
        allocation.set_nth_allocation_pool(at, pool.as_ref(), size, min, max);
    }
}
