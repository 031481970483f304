<?php
/**
 * The order of a payment is not here.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use RuntimeException;

/** Perhaps not yet: the gateway is told to come again. */
final class Unknown_Order_Error extends RuntimeException {}
