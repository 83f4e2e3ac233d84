/// Shares a load between the ranks of a group: chooses the distribution, says who reads which file or block, and what they
/// must agree on. Decisions are pure and the same on every rank; the exchange of blocks is carried out here as well.
/// Before it: plan and transfer. After it: collective hands out what the ranks have.
@NullMarked
package io.fastsafetensors.core.distribute;

import org.jspecify.annotations.NullMarked;
