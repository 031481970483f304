<?php
/**
 * From an order to the page on which it is paid.
 *
 * @package StreamPay\WooCommerce
 */

declare(strict_types=1);

namespace StreamPay\WooCommerce;

use InvalidArgumentException;
use WC_Order;

/** Opens sessions. An order has at most one that is open: two tabs, two clicks and a lost answer all lead to it. */
final class Checkout {

	private const MAX_ROUNDS   = 5; // Over, replayed, over again: more than three is a fault.
	private const MAX_PAYMENTS = 10;
	private const EXPIRES_IN_S = 1800;
	private const OPTIONAL     = array( 'line_items', 'customer_email', 'customer_country', 'locale', 'metadata' );
	private const LOCALES      = array( 'en', 'de', 'ar' );
	private const MAX_LINES    = 100;

	/** Work by the merchant's settings. */
	public function __construct( private Settings $settings, private Api $api, private string $success_url ) {}

	/**
	 * Return the address at which the shopper pays an order, or the shop's own page when it is paid already.
	 *
	 * @param int $order_id The order.
	 * @throws Api_Error                The gateway refuses, or does not answer.
	 * @throws Busy_Error               Another request opens it at this moment.
	 * @throws InvalidArgumentException The total is no amount.
	 */
	public function url( int $order_id ): string {
		return Order_Lock::hold( $order_id, fn(): string => $this->find_or_open( $order_id ) );
	}

	private function find_or_open( int $order_id ): string {
		$order = Orders::fresh( $order_id );
		if ( null === $order ) {
			throw new InvalidArgumentException( 'There is no such order.' );
		}
		$state = new Order_State( $order );
		for ( $round = 0; $round < self::MAX_ROUNDS; $round++ ) {
			if ( $state->is_paid() ) {
				return $this->success_url;
			}
			$known = $this->known( $state );
			if ( null !== $known ) {
				return $known;
			}
			$session = $this->create( $state );
			if ( null !== $session ) {
				$this->attach( $state, $session );
				return $session->text( 'url' );
			}
			$this->next_try( $state );
		}
		throw new Api_Error( 409, 'no_session', 'No open session could be had for this order.' );
	}

	/** Return the page of the session that the order has, if it is still the one; close it if it is not. */
	private function known( Order_State $state ): ?string {
		$id = $state->text( Order_State::SESSION );
		if ( '' === $id ) {
			return null;
		}
		if ( $state->text( Order_State::MODE ) !== $this->settings->mode() ) {
			$this->next_try( $state ); // Of the other mode: this key cannot see it.
			return null;
		}
		$session = $this->api->get( '/v1/checkout/sessions/' . rawurlencode( $id ) );
		if ( 'open' === $session->text( 'status' ) ) {
			$order   = $state->order();
			$is_same = Amount::equal( $session->text( 'amount' ), $order->get_total() ) && $session->text( 'currency' ) === $order->get_currency();
			if ( $is_same ) {
				return $session->text( 'url' );
			}
			// The order was changed. Two open sessions could be paid both, so the old one is closed first, or none is opened.
			$this->api->post( "/v1/checkout/sessions/$id/expire", array(), "$id-expire" );
		} elseif ( 'complete' === $session->text( 'status' ) ) {
			return $session->text( 'url' ); // Paid or held: its page says so, and the webhook moves the order.
		}
		$this->next_try( $state );
		return null;
	}

	private function next_try( Order_State $state ): void {
		$state->keep( Order_State::TRIES, (string) ( $this->try_number( $state ) + 1 ) );
		$state->keep( Order_State::SESSION, '' );
		$state->order()->save();
	}

	private function try_number( Order_State $state ): int {
		return max( 1, (int) $state->text( Order_State::TRIES ) );
	}

	/** Open a session under the name of this try; null when that name leads to a session that is over. */
	private function create( Order_State $state ): ?Api_Answer {
		$order     = $state->order();
		$reference = Reference::of( $order->get_id() );
		$state->keep( Order_State::REFERENCE, $reference );
		$state->keep( Order_State::MODE, $this->settings->mode() );
		$order->save(); // Before anybody can pay: the webhook finds the order by it.
		$key     = $reference . '-' . $this->settings->mode() . '-' . $this->try_number( $state );
		$session = $this->post( $this->body( $order, $reference ), $key );
		if ( null !== $session && $session->is_replayed ) {
			$session = $this->api->get( '/v1/checkout/sessions/' . rawurlencode( $session->text( 'id' ) ) );
		}
		return null === $session || 'open' !== $session->text( 'status' ) ? null : $session;
	}

	/** @param array<string, mixed> $body The session. */
	private function post( array $body, string $key ): ?Api_Answer {
		try {
			return $this->api->post( '/v1/checkout/sessions', $body, $key );
		} catch ( Api_Error $error ) {
			if ( 'idempotency_mismatch' === $error->word ) {
				return null; // The order was changed since an answer got lost.
			}
			$fields = array_map( static fn( string $param ): string => explode( '/', $param )[1] ?? '', $error->params );
			if ( 400 !== $error->status || array() === $fields || array() !== array_diff( $fields, self::OPTIONAL ) ) {
				throw $error;
			}
			Log::warning( 'session_fields_left_out', array( 'fields' => implode( ',', $fields ), 'request' => $error->request_id ) );
			return $this->api->post( '/v1/checkout/sessions', array_diff_key( $body, array_flip( $fields ) ), $key );
		}
	}

	private function attach( Order_State $state, Api_Answer $session ): void {
		$order      = $state->order();
		$payment_id = $session->text( 'payment' );
		$state->keep( Order_State::SESSION, $session->text( 'id' ) );
		$state->keep( Order_State::URL, $session->text( 'url' ) );
		$state->remember( Order_State::PAYMENTS, $payment_id, self::MAX_PAYMENTS );
		$order->save();
		if ( $order->has_status( array( 'failed', 'cancelled' ) ) ) {
			$order->update_status( 'pending', __( 'The customer tries again to pay.', 'streampay-for-woocommerce' ) );
		}
		/* translators: %s: payment id */
		$order->add_order_note( sprintf( __( 'StreamPay opened payment %s.', 'streampay-for-woocommerce' ), $payment_id ) );
	}

	/** @return array<string, mixed> */
	private function body( WC_Order $order, string $reference ): array {
		$body = array(
			'amount'         => Amount::plain( $order->get_total() ),
			'currency'       => $order->get_currency(),
			'reference'      => $reference,
			'success_url'    => esc_url_raw( $this->success_url ),
			'cancel_url'     => esc_url_raw( $order->get_checkout_payment_url() ), // Changes nothing: it only offers to pay again.
			'capture_method' => $this->settings->capture_method(),
			'expires_in'     => self::EXPIRES_IN_S,
			'metadata'       => array( 'woocommerce_order' => (string) $order->get_id() ),
		);
		$email = (string) $order->get_billing_email();
		if ( is_email( $email ) ) {
			$body['customer_email'] = $email;
		}
		if ( 1 === preg_match( '/\A[A-Z]{2}\z/', (string) $order->get_billing_country() ) ) {
			$body['customer_country'] = $order->get_billing_country();
		}
		$language = substr( get_locale(), 0, 2 );
		if ( in_array( $language, self::LOCALES, true ) ) {
			$body['locale'] = $language;
		}
		$lines = $this->lines( $order, $body['amount'] );
		if ( array() !== $lines ) {
			$body['line_items'] = $lines;
		}
		return apply_filters( 'streampay_session_params', $body, $order );
	}

	/** @return list<array{name: string, quantity: int, amount: string}> Lines that add up exactly, else none. */
	private function lines( WC_Order $order, string $total ): array {
		$lines = array();
		foreach ( $order->get_items( array( 'line_item', 'fee', 'shipping' ) ) as $item ) {
			$name     = trim( (string) preg_replace( '/[\p{C}\s]+/u', ' ', html_entity_decode( wp_strip_all_tags( (string) $item->get_name() ), ENT_QUOTES, 'UTF-8' ) ) );
			$quantity = $item->get_quantity();
			$sum      = (float) $item->get_total() + (float) $item->get_total_tax(); // What the page shows; `adds_up` decides.
			$lines[]  = array(
				'name'     => '' === $name ? __( 'Item', 'streampay-for-woocommerce' ) : mb_substr( $name, 0, 200 ),
				'quantity' => is_int( $quantity ) && $quantity > 0 ? $quantity : 1,
				'amount'   => wc_format_decimal( $sum, wc_get_price_decimals() ),
			);
		}
		$lines = array_values( array_filter( $lines, static fn( array $line ): bool => ! Amount::equal( $line['amount'], '0' ) ) );
		try {
			$is_exact = Amount::adds_up( array_column( $lines, 'amount' ), $total );
		} catch ( InvalidArgumentException ) {
			return array(); // A discount below zero.
		}
		return $is_exact && count( $lines ) <= self::MAX_LINES ? $lines : array();
	}
}
