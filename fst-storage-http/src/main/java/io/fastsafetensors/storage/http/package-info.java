/// Storage for checkpoints that are not on the disk: HTTP servers, S3 and the Hugging Face hub.
@NullMarked
package io.fastsafetensors.storage.http;

import org.jspecify.annotations.NullMarked;
