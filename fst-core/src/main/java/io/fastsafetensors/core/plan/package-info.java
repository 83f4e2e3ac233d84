/// Headers and options → what to read, in which blocks, and where each tensor goes.
/// Pure arithmetic: no file, no memory, no clock; the same answer on every rank.
/// Before it: header. After it: read and transfer carry it out.
@NullMarked
package io.fastsafetensors.core.plan;

import org.jspecify.annotations.NullMarked;
