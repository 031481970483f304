<?php
/**
 * What a reading of a payment makes of an order.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

/** Made by the reducer, carried out by `Orders`. */
final class Decision {

	public const NOTHING = 'nothing';
	public const STALE   = 'stale';
	public const PAY     = 'pay';
	public const HOLD    = 'hold';
	public const RELEASE = 'release';
	public const CLOSE   = 'close';
	public const REVIEW  = 'review';

	/**
	 * Say what to do.
	 *
	 * @param string                $action One of the constants.
	 * @param string                $status What the order becomes; empty leaves it.
	 * @param string                $note   Said with that step.
	 * @param array<string, string> $notes  Further notes, each said once for its key.
	 */
	public function __construct( public string $action, public string $status = '', public string $note = '', public array $notes = array() ) {}
}
