<?php
/**
 * Somebody else is at work on the same order.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use RuntimeException;

/** Come again: nothing was changed. */
final class Busy_Error extends RuntimeException {}
