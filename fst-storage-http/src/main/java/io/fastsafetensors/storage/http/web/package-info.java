/// Files of plain HTTP servers, by their addresses.
@NullMarked
package io.fastsafetensors.storage.http.web;

import org.jspecify.annotations.NullMarked;
