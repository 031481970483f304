<?php
/**
 * A webhook that is not from the gateway, or not from now.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use RuntimeException;

/** Its message is a stable word, such as `signature_mismatch`. */
final class Signature_Error extends RuntimeException {}
