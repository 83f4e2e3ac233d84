/// How the ranks of a group share a load: which way and why, who reads which file or block, what they must agree on.
/// Decisions are pure and the same on every rank; the exchange of blocks is carried out here as well.
/// Before it: plan and place. After it: deliver hands out what the ranks have.
@NullMarked
package io.fastsafetensors.core.distribute;

import org.jspecify.annotations.NullMarked;
