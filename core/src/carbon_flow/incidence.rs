//! Which branch ends are at which node.

/// The branch ends of a grid by node: each has a place, those of a node one beside the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Incidence {
    /// For each node the place of its first branch end; one more, where the last node's end.
    pub(super) first: Vec<u32>,
    /// For each branch the places of its ends.
    pub(super) places: Vec<[u32; 2]>,
    /// For each place the node at the other end of the branch.
    pub(super) neighbours: Vec<u32>,
}

impl Incidence {
    /// Of branches between `nodes` nodes, by branch in order at each node.
    pub(super) fn new(nodes: usize, ends: &[[u32; 2]]) -> Self {
        let mut first = vec![0_u32; nodes + 1];
        for node in ends.iter().flatten() {
            if let Some(count) = first.get_mut(*node as usize) {
                *count += 1;
            }
        }
        let mut before = 0;
        for count in &mut first {
            let own = *count;
            *count = before;
            before += own;
        }
        let mut next = first.clone();
        let mut neighbours = vec![0; ends.len() * 2];
        let mut place = |node: u32, other: u32| {
            let Some(next) = next.get_mut(node as usize) else {
                return 0;
            };
            let place = *next;
            *next += 1;
            if let Some(neighbour) = neighbours.get_mut(place as usize) {
                *neighbour = other;
            }
            place
        };
        let places = ends.iter();
        let places = places.map(|[from, to]| [place(*from, *to), place(*to, *from)]);
        Self {
            places: places.collect(),
            first,
            neighbours,
        }
    }

    /// The neighbours of a node, one for each branch.
    pub(super) fn of(&self, node: u32) -> &[u32] {
        let bounds = self.first.get(node as usize..).unwrap_or_default();
        let [start, end, ..] = bounds else {
            return &[];
        };
        let own = self.neighbours.get(*start as usize..*end as usize);
        own.unwrap_or_default()
    }
}
