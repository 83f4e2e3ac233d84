/// The one scalar reference that every backend's kernels are compared with, bit for bit: conversion and gather.
/// Written for reading, not for speed: each element becomes an exact number and is rounded once, in integers.
/// Shares no code with any backend, and touches no device.
@NullMarked
package io.fastsafetensors.testkit.reference;

import org.jspecify.annotations.NullMarked;
